"""A reproducible study of the Semi-supervised Music Tagging Transformer (Won, Choi, Serra, ISMIR 2021).

Names are imported when first used, so that ``import mtt`` is instant:

>>> import mtt
>>> corpus = mtt.load_corpus("synthetic")
>>> split = mtt.split_by_artist(corpus.artists, corpus.labels, (0.7, 0.15, 0.15), seed=0)
>>> model = mtt.load_model("runs/demo/100/teacher")
>>> study = mtt.open_study(profile="demo")
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["AugmentConfig", "ModelConfig", "StudyConfig", "SyntheticConfig", "TrainConfig", "PROFILES"],
        "collections.audit": ["audit_collection"],
        "collections.listing": ["list_tracks", "skipped_text"],
        "collections.load": ["collection_help", "load_corpus", "read_collection"],
        "collections.pack": ["check_pack_place", "pack_corpus"],
        "data.corpus": ["label_matrix", "split_tags"],
        "splits.check": ["audit_split", "split_notes"],
        "splits.make": ["check_sets", "read_split", "split_by_artist", "write_split"],
        "explain.attention": ["attention_maps"],
        "explain.curves": ["tag_curves"],
        "explain.embed": ["Embedding", "embed", "embed_file", "read_embeddings", "similar", "write_embeddings"],
        "explain.genres": ["plan", "undo_genres", "write_genres"],
        "explain.tagging": ["files_of", "printable", "tag", "tag_files", "tag_text"],
        "findings.judge": ["Judge"],
        "models": ["build_model", "import_musicnn", "import_official", "load_model", "save_model"],
        "models.checkpoint": ["MODEL_FILES"],
        "reporting.pages.audit": ["audit_text", "write_audit"],
        "reporting.explorer.page": ["model_page"],
        "reporting.explorer.song": ["explain_file"],
        "findings.anchor": ["anchor"],
        "findings.reference": ["keep_reference"],
        "findings.tuning": ["tune"],
        "reporting.run": ["run_study"],
        "study.distill": ["distill"],
        "study.final": ["take_home"],
        "study.job": ["read_job", "run_job"],
        "study.workspace": ["absolute_parameters", "notebook_study", "open_study"],
    },
)
