package main

import (
	"math/bits"
	"time"
)

// waits counts durations in classes that are a sixteenth wide, and keeps the longest.
type waits struct {
	counts  [64 * 16]uint64
	n       uint64
	longest time.Duration
}

func (w *waits) add(d time.Duration) {
	w.counts[class(d)]++
	w.n++
	w.longest = max(w.longest, d)
}

// class is that of d; each power of two has sixteen.
func class(d time.Duration) int {
	v := uint64(max(d, 0))
	if v < 16 {
		return int(v)
	}
	shift := bits.Len64(v) - 5
	return (shift+1)*16 + int(v>>shift) - 16
}

// upper is the longest duration in a class.
func upper(class int) time.Duration {
	if class < 16 {
		return time.Duration(class)
	}
	shift := class/16 - 1
	return time.Duration((uint64(class%16)+17)<<shift - 1)
}

func (w *waits) merge(other *waits) {
	for i, n := range other.counts {
		w.counts[i] += n
	}
	w.n += other.n
	w.longest = max(w.longest, other.longest)
}

// quantile is the duration that all but the given part of the waits did not exceed, at most a sixteenth too long.
func (w *waits) quantile(q float64) time.Duration {
	left := uint64(q * float64(w.n))
	for i, n := range w.counts {
		if n > left {
			return min(upper(i), w.longest)
		}
		left -= n
	}
	return w.longest
}
