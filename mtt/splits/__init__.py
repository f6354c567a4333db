"""Which track belongs in which set: artist-level stratified splits, in reading order:

check     the sets, what a split is made from, and what is wrong with one: shared artists, shares of tags, sizes
stratify  the search that gives whole artists to sets so that tags keep their shares
make      splits by artist and those they are compared with, the split of a corpus, the cross-over on leakage, the split on disk
"""
