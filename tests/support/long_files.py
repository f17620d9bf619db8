"""The test files that take longest: marked `slow`, and run first so that no worker idles."""

# Seconds of a worker in a whole run on two cores shared with other work: read shares, not seconds.
LONG_FILES = {
    "tests/indexer/vision/test_decode_limits.py": 179,
    "tests/indexer/models/test_encoder_kept.py": 172,
    "tests/indexer/ingest/test_ray.py": 140,
    "tests/api/server/test_worker_processes.py": 134,
    "tests/project/test_readme_runs.py": 116,
    "tests/search/test_filter_id_cache.py": 111,
    "tests/project/test_pages_run.py": 100,
    "tests/indexer/ingest/test_sync.py": 89,
    "tests/indexer/models/test_encoder_tuning.py": 83,
    "tests/indexer/ingest/test_reembed_interrupted.py": 82,
    "tests/api/http/test_hostile_pictures.py": 60,
    "tests/project/test_docs.py": 60,
    "tests/indexer/catalogue/test_duplicates.py": 57,
    "tests/indexer/vision/test_photo.py": 51,
    "tests/indexer/ingest/test_ray_command.py": 40,
    "tests/api/cli/test_recommend.py": 38,
    "tests/api/cli/test_evaluate.py": 20,
}
