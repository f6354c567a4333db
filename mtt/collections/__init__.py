"""Getting music in: every source becomes a ``Corpus`` of files that can be used, and a list of those that cannot.

load        what a source may be, and the corpus behind it
listing     such a collection's CSV made from a folder of music
published   data sets in the layout they are published in, one module a data set
inspection  one pass over every file: usable, how long, what it holds
duplicates  exact and near duplicates, and which copy to keep
audit       all that is wrong with a collection, or may be meant otherwise
pack        audio decoded once, for fast crops
"""
