# Your own tasks; an update of the template never touches this file. For example:
#
# notebook:  ## Open the notebooks
# 	$(RUN) --with jupyterlab jupyter lab
