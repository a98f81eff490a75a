package config

import (
	"testing"
	"time"
)

func TestPeriods(t *testing.T) {
	now := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
	for value, want := range map[string]uint64{"": 0, "1d": 1, "2557d": 2557, "2026-11-23": 1, "2026-11-24": 2, "2033-11-22": 2557, "36500d": 36500} {
		p, err := parsePeriod(value)
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		if got, err := p.From(now); err != nil || got != want {
			t.Errorf("%q from %s = %d days, %v; want %d", value, now, got, err, want)
		}
	}
	for _, value := range []string{"0d", "d", "1", "1.5d", "-1d", "36501d", "7y", "2026-13-01", "tomorrow", " 1d"} {
		if _, err := parsePeriod(value); err == nil {
			t.Errorf("%q is accepted", value)
		}
	}
	for _, value := range []string{"2026-11-22", "2020-01-01", "2999-01-01"} {
		p, err := parsePeriod(value)
		if err != nil {
			t.Fatal(err)
		}
		if days, err := p.From(now); err == nil {
			t.Errorf("%q from %s = %d days, want an error", value, now, days)
		}
	}
}
