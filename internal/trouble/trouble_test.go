package trouble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errThrottled = errors.New("throttled")
	errUncertain = errors.New("outcome unknown")
	errKey       = errors.New("the key does not fit")
	errNotFound  = errors.New("not found")
)

func throttled(n int) error { return fmt.Errorf("request %d: %w", n, errThrottled) }

// A failure a minute, without a word in between that it is over, becomes a line an hour; after a rest it is told at once.
func TestFailuresWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		trouble := New(slog.New(slog.NewTextHandler(&lines, nil)), "failed", "over")
		for i := range 6 * 60 {
			trouble.Failed(slog.LevelWarn, throttled(i))
			time.Sleep(time.Minute)
		}
		told := strings.Count(lines.String(), "level=WARN")
		if told < 8 || told > 14 || !errors.Is(trouble.Err(), errThrottled) {
			t.Errorf("%d lines, error %v:\n%s", told, trouble.Err(), &lines)
		}
		time.Sleep(15 * time.Minute)
		trouble.Failed(slog.LevelError, throttled(0))
		if n := strings.Count(lines.String(), "level="); n != told+1 || strings.Count(lines.String(), "level=ERROR") != 1 {
			t.Errorf("%d lines, before the rest %d:\n%s", n, told, &lines)
		}
	})
}

// Errors are of one cause whatever their texts add.
func TestCauseOf(t *testing.T) {
	code := func(c string) error { return coded{c} }
	for _, tt := range []struct {
		a, b error
		same bool
	}{
		{throttled(1), throttled(2), true},
		{throttled(1), errUncertain, false},
		{errors.Join(throttled(1), context.Canceled), errors.Join(throttled(2), context.Canceled), true},
		{errors.Join(throttled(1), context.Canceled), throttled(1), false},
		{code("SlowDown"), code("SlowDown"), true},
		{code("SlowDown"), code("InternalError"), false},
		{fmt.Errorf("%w: %w", errKey, errNotFound), fmt.Errorf("x %w: %w", errKey, errNotFound), true},
		{fmt.Errorf("%w: role", errKey), fmt.Errorf("%w: %w", errKey, errNotFound), false},
		{&strangeError{1}, &strangeError{2}, true},
	} {
		if got := causeOf(tt.a) == causeOf(tt.b); got != tt.same {
			t.Errorf("%v and %v: %q and %q", tt.a, tt.b, causeOf(tt.a), causeOf(tt.b))
		}
	}
}

type coded struct{ code string }

func (c coded) Error() string     { return "request 17: " + c.code }
func (c coded) ErrorCode() string { return c.code }
func (c coded) Unwrap() error     { return errThrottled }

type strangeError struct{ n int }

func (e *strangeError) Error() string { return fmt.Sprint("number ", e.n) }

// A thousand causes do not fill the memory.
func TestManyCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		trouble := New(slog.New(slog.NewTextHandler(&lines, nil)), "failed", "over")
		for i := range 1000 {
			trouble.Failed(slog.LevelWarn, errors.New(fmt.Sprint("cause ", i)))
		}
		if n, told := len(trouble.causes), strings.Count(lines.String(), "level=WARN"); n > maxCauses || told != 1000 {
			t.Errorf("%d causes are remembered, %d told", n, told)
		}
	})
}
