"""The embedded corpus: invented artists, their songs, the sound of them, and the files that are published.

genres      the instruments and the twelve genres, as tables
patterns    beats, bass lines and ways to play chords, as tables, and how a bar of them is played
form        what changes, grows or returns over a song, and which part plays when
artists     who plays: names, habits, production styles and chains
compose     a song's notes and the tags that are true of it
soundfont   the samples, corrected
produce     from notes to a recording
releases    which tracks are published, with which flaws
render      the corpus as a folder: audio, labels, truth

A *genre* is an entry of ``genres.GENRES``, and its styles are rows of ``patterns.BEATS``, ``BASS`` and ``COMPING``. An *instrument tag* is
an entry of ``genres.INSTRUMENTS``; where its notes fade, swell or ring on, its programs stand in ``produce.DECAY``, ``ATTACK`` and
``RELEASE``. A *mood* is a rule in ``compose.MOODS``. A *form* is a row of ``form.FORMS`` and what ``form.draw_form`` makes of it. A
treatment of the sound is a field of ``artists.Chain`` and a step of ``produce.produce``. Whatever is added changes what is rendered: raise
``render.GENERATOR_VERSION``.
"""
