"""Stage library: fitted estimators, such as those of scikit-learn, as arrays that numpy evaluates."""
