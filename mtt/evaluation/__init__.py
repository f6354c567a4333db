"""Scores of a model and their uncertainty. In reading order:

``metrics``    ROC-AUC and PR-AUC per tag and averaged over tags; calibration
``bootstrap``  intervals and paired differences, by resampling artists
``replicates`` intervals and comparisons over corpora, splits or trainings; power; where variance comes from
``predict``    scores and features of tracks from those of their clips
``regression`` tags by logistic regression on features, hand-made or a model's
"""
