"""The commands of ``python -m mtt``, an app for each kind, in the order of its help:

``options``     what several of them take
``studies``     run studies, train, look at settings, keep references
``collections`` list, split, audit and pack music
``tagging``     tag and explain files
``library``     embed files, find those that are alike
``models``      distil a tagger of one's own, import published ones

``mtt``'s names are imported when first used: a command loads what it needs.
"""
