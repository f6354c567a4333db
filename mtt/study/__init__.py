"""The experiment: what is trained, on what, and what it shows.

``recipes``       all that makes one trained model, and the line-up of the study's models by name
``parameters``    what a user may set: in a notebook's parameters cell, by papermill, on the command line, in a file
``cells``         trained models in folders: made when missing, resumed when unfinished, read back when done
``schedule``      cells made side by side
``replicates``    one corpus or split, its training sets and spectrograms
``workspace``     a study: settings, folder, replicates, and the models that are made in each
``reference``     what the full run found, and tuning corpora showed
``claims``        what is claimed, how it is measured and judged
``curves``        what is drawn as curves: scarcity, the teacher's training, lengths, tags
``lengths``       what the length of the input does to a trained model
``pseudo_labels`` how good a teacher's pseudo-labels are
``evidence``      whether explanations hold
``job``           one model trained from a file of settings
"""
