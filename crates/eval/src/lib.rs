//! Predictions turned into metrics, intervals and reports for percept.
