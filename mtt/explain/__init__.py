"""What a model hears, when, where it looks, and whether these explanations hold.

``recording``: a recording read piece by piece, its tokens, and a model that is asked about it.
``tagging``: tags of files, also as text.
``genres``: tags as genres in the files' own metadata, and back.
``embed``: what a model makes of recordings before its last layer, and which are alike by it.
``spectrogram``: a sound as models see it, for pictures.
``curves``: tags over time.
``attention``: where the Transformer looks, head by head or over a recording of any length.
``localisation``: curves and attention against who really plays when.
``deletion``: what taking attended frames away costs the tags.
"""
