package s3lock

// Status is the outcome of one line of a report.
type Status string

// The outcomes. What could not be checked is Unknown, never Pass.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Unknown Status = "unknown"
)

// Line is one thing that was checked.
type Line struct {
	Setting string `json:"setting"`
	Status  Status `json:"status"`
	Got     string `json:"got"`
	Want    string `json:"want"`
	// Threat says what could happen to the evidence, and Fix what to do about it; both are for every line, passed or not.
	Threat string `json:"threat"`
	Fix    string `json:"fix"`
}

// worst sums lines up: one that failed decides, then one that is unknown. No lines at all are unknown.
func worst(lines []Line) Status {
	sum := Pass
	for _, l := range lines {
		switch {
		case l.Status == Fail:
			return Fail
		case l.Status != Pass:
			sum = Unknown
		}
	}
	if len(lines) == 0 {
		return Unknown
	}
	return sum
}
