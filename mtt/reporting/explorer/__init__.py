"""Sound with pictures under a moving cursor. In reading order:

``player``     a sound and its figure, in a notebook and on a page
``song``       a reader's own song, decoded and coded
``scenes``     a track with what is known of it, what models hear in it and attend to
``choices``    the rules by which tracks are chosen
``listening``  chosen tracks and their tag curves as players
``making``     how a composed track comes to be, step by step
``portable``   a model as a page carries it and runs it
``page``       scenes as a page to play with
``widget``     that page in a notebook, with controls
"""
