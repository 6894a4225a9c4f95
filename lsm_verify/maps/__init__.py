"""Maps: many columns of a labelled dataset calibrated, their gradient verified on a sample.

A `lsm_verify.maps.job.Job` says what is asked of every column; `lsm_verify.maps.block` does it for
the columns that are in memory; `lsm_verify.maps.calibrate_map` for a dataset, with Dask where it is
chunked, and `lsm_verify.maps.run` for a file, region by region into a Zarr store.
"""
