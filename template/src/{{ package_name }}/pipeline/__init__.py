"""One module per stage of dvc.yaml, and the commands around them."""
