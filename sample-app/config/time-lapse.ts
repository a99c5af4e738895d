// Imported before the settings are read: the day after which an order is shipped lasts a second.
process.env['SAMPLE_DAY'] ??= '1s';
