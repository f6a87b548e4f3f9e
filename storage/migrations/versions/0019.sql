-- Lags at which past rises look nearly as much alike as at lag_s (alerts/forecast_lag.py); null until it is learned again.
ALTER TABLE forecast_lag ADD COLUMN earliest_s float8, ADD COLUMN latest_s float8;
