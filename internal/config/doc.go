// Package config has the settings of wormlog's programs: one table, from which flags, WORMLOG_* variables, wormlog.yaml and
// `wormlog config` are made, and the clients of AWS that the settings come to. No secret is a setting: settings only name
// where secrets are.
//
// An endpoint that is not AWS must be named on purpose, as endpoint or secrets_endpoint: one that only AWS_ENDPOINT_URL
// names is refused, since it would be sent the archive, or keys.
//
// An error that says what to do says it behind its last semicolon.
package config
