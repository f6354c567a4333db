"""The experiment: what is trained, on what.

``recipes``       all that makes one trained model, and the line-up of the study's models by name
``parameters``    what a user may set: in a notebook's parameters cell, by papermill, on the command line, in a file
``cells``         trained models in folders: made when missing, resumed when unfinished, read back when done
``schedule``      cells made side by side
``replicates``    one corpus or split, its training sets and spectrograms
``workspace``     a study: settings, folder, replicates, and the models that are made in each
``budget``        how long to train: to a plateau, on clips that the tracks fill, within the minutes given
``distill``       a model for real music, from unlabelled music and a tagger that somebody else trained
``final``         the model to take home, trained on all labels
``job``           one model trained from a file of settings
"""
