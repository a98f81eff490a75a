package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wormlog/wormlog/archive"
)

// Heartbeat is how often an idle stream writes; unset leaves it to the log.
type Heartbeat struct {
	Set   bool
	Every time.Duration // 0: never
}

func setHeartbeat(c *Config, v string) error {
	c.Heartbeat = Heartbeat{}
	if v == "" {
		return nil
	}
	c.Heartbeat.Set = true
	if v == "none" {
		return nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return errors.New("it is none, or whole seconds such as 30m or 1h")
	}
	c.Heartbeat.Every = d
	return nil
}

// Period is a number of days, or the days until a date. Its zero value says that none was given.
type Period struct {
	Days  uint64
	until time.Time // midnight UTC; zero if days were given
}

func setPeriod(at func(*Config) *Period) func(*Config, string) error {
	return func(c *Config, v string) (err error) {
		*at(c), err = parsePeriod(v)
		return err
	}
}

func parsePeriod(v string) (Period, error) {
	wrong := errors.New("it is a number of days such as 2557d, or a date such as 2033-12-31")
	if v == "" {
		return Period{}, nil
	}
	if t, err := time.Parse(time.DateOnly, v); err == nil {
		return Period{until: t}, nil
	}
	digits, ok := strings.CutSuffix(v, "d")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil {
		return Period{}, wrong
	}
	if n < 1 || n > archive.MaxRetentionDays {
		return Period{}, fmt.Errorf("it is 1d to %dd", archive.MaxRetentionDays)
	}
	return Period{Days: n}, nil
}

// From returns the days of the period when the store's clock shows now; 0 if it was not given. What is written then is
// kept until the date, if that was given.
func (p Period) From(now time.Time) (uint64, error) {
	if p.until.IsZero() {
		return p.Days, nil
	}
	left := p.until.Sub(now)
	days := int64(left / (24 * time.Hour))
	if left%(24*time.Hour) > 0 {
		days++
	}
	if left <= 0 || days < 1 || days > archive.MaxRetentionDays {
		return 0, fmt.Errorf("the retention until %s is not 1 to %d days from now", p.until.Format(time.DateOnly), archive.MaxRetentionDays)
	}
	return uint64(days), nil
}
