-- Tables of kinds as the first version made them: rollups in one piece, no groups, no cabinets.
CREATE TABLE reading_streetlight (
    device_id text COLLATE "C" NOT NULL, ts timestamptz NOT NULL, received_at timestamptz NOT NULL, seq bigint,
    boot text, fw text, qc smallint NOT NULL, qc_reason integer NOT NULL, power_w float8, voltage_v float8,
    current_a float8, power_factor float8, dimming_pct float8, energy_wh float8, operating_h float8,
    switch_count float8, temperature_c float8, battery_v float8, rssi_dbm float8, snr_db float8, uptime_s
    float8, PRIMARY KEY (device_id, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE rollup_streetlight_5m (
    device_id text COLLATE "C" NOT NULL, bucket timestamptz NOT NULL, n integer NOT NULL, n_good integer NOT
    NULL, power_w_avg float8, power_w_min float8, power_w_max float8, power_w_last float8, power_w_w float8,
    voltage_v_avg float8, voltage_v_min float8, voltage_v_max float8, voltage_v_last float8, voltage_v_w float8,
    current_a_avg float8, current_a_min float8, current_a_max float8, current_a_last float8, current_a_w float8,
    power_factor_avg float8, power_factor_min float8, power_factor_max float8, power_factor_last float8,
    power_factor_w float8, dimming_pct_avg float8, dimming_pct_min float8, dimming_pct_max float8,
    dimming_pct_last float8, dimming_pct_w float8, energy_wh_delta float8, energy_wh_last float8,
    operating_h_delta float8, operating_h_last float8, switch_count_delta float8, switch_count_last float8,
    temperature_c_avg float8, temperature_c_min float8, temperature_c_max float8, temperature_c_last float8,
    temperature_c_w float8, PRIMARY KEY (device_id, bucket)
);
CREATE TABLE rollup_streetlight_1h (LIKE rollup_streetlight_5m INCLUDING ALL);
CREATE TABLE rollup_streetlight_1d (LIKE rollup_streetlight_5m INCLUDING ALL);
CREATE TABLE reading_traffic (
    device_id text COLLATE "C" NOT NULL, ts timestamptz NOT NULL, received_at timestamptz NOT NULL, seq bigint,
    boot text, fw text, qc smallint NOT NULL, qc_reason integer NOT NULL, period_s float8, count float8,
    speed_kmh float8, occupancy_pct float8, headway_s float8, count_motorcycle float8, count_car float8,
    count_heavy float8, flow_vph float8, battery_v float8, rssi_dbm float8, snr_db float8, uptime_s float8,
    PRIMARY KEY (device_id, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE rollup_traffic_5m (
    device_id text COLLATE "C" NOT NULL, bucket timestamptz NOT NULL, n integer NOT NULL, n_good integer NOT
    NULL, period_s_avg float8, period_s_min float8, period_s_max float8, period_s_last float8, period_s_w
    float8, count_sum float8, speed_kmh_avg float8, speed_kmh_min float8, speed_kmh_max float8, speed_kmh_last
    float8, speed_kmh_w float8, occupancy_pct_avg float8, occupancy_pct_min float8, occupancy_pct_max float8,
    occupancy_pct_last float8, occupancy_pct_w float8, headway_s_avg float8, headway_s_min float8, headway_s_max
    float8, headway_s_last float8, headway_s_w float8, count_motorcycle_sum float8, count_car_sum float8,
    count_heavy_sum float8, flow_vph_avg float8, flow_vph_min float8, flow_vph_max float8, flow_vph_last float8,
    flow_vph_w float8, PRIMARY KEY (device_id, bucket)
);
CREATE TABLE rollup_traffic_1h (LIKE rollup_traffic_5m INCLUDING ALL);
CREATE TABLE rollup_traffic_1d (LIKE rollup_traffic_5m INCLUDING ALL);
CREATE TABLE reading_water_level (
    device_id text COLLATE "C" NOT NULL, ts timestamptz NOT NULL, received_at timestamptz NOT NULL, seq bigint,
    boot text, fw text, qc smallint NOT NULL, qc_reason integer NOT NULL, level_m float8, distance_m float8,
    rain_mm float8, temperature_c float8, battery_v float8, rssi_dbm float8, snr_db float8, uptime_s float8,
    PRIMARY KEY (device_id, ts)
) PARTITION BY RANGE (ts);
CREATE TABLE rollup_water_level_5m (
    device_id text COLLATE "C" NOT NULL, bucket timestamptz NOT NULL, n integer NOT NULL, n_good integer NOT
    NULL, level_m_avg float8, level_m_min float8, level_m_max float8, level_m_last float8, level_m_w float8,
    distance_m_avg float8, distance_m_min float8, distance_m_max float8, distance_m_last float8, distance_m_w
    float8, rain_mm_sum float8, temperature_c_avg float8, temperature_c_min float8, temperature_c_max float8,
    temperature_c_last float8, temperature_c_w float8, PRIMARY KEY (device_id, bucket)
);
CREATE TABLE rollup_water_level_1h (LIKE rollup_water_level_5m INCLUDING ALL);
CREATE TABLE rollup_water_level_1d (LIKE rollup_water_level_5m INCLUDING ALL);
CREATE TABLE reading_streetlight_p20261123 PARTITION OF reading_streetlight FOR VALUES FROM ('2026-11-23 00:00Z') TO ('2026-11-30 00:00Z');
CREATE TABLE reading_traffic_p20261123 PARTITION OF reading_traffic FOR VALUES FROM ('2026-11-23 00:00Z') TO ('2026-11-30 00:00Z');
CREATE TABLE reading_water_level_p20261116 PARTITION OF reading_water_level FOR VALUES FROM ('2026-11-16 00:00Z') TO ('2026-11-23 00:00Z');
CREATE TABLE reading_water_level_p20261123 PARTITION OF reading_water_level FOR VALUES FROM ('2026-11-23 00:00Z') TO ('2026-11-30 00:00Z');
