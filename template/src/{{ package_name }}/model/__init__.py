"""Yours: what makes this model this model. An update of the template never touches this folder."""
