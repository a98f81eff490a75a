package vectors

import "strings"

// weakKey is 32 bytes that no public key may be: little-endian y, and the sign of x in the last bit.
type weakKey struct{ name, description, raw string }

// weakKeys are the eight points of small order in all their fourteen encodings (see Chalkias, Garillot and Nikolaenko,
// "Taming the Many EdDSAs", 2020), and y that are not below the field's prime though the point would do.
func weakKeys() []weakKey {
	zero, ff := strings.Repeat("00", 30), strings.Repeat("ff", 30)
	const eight, otherEight = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
	return []weakKey{
		{"order-1", "the neutral point, under which R = S B is a signature of every message", "01" + zero + "00"},
		{"order-1-signed", "the neutral point with a sign that x = 0 does not have", "01" + zero + "80"},
		{"order-1-over-p", "the neutral point with y = p + 1", "ee" + ff + "7f"},
		{"order-1-over-p-signed", "the neutral point with y = p + 1 and a sign", "ee" + ff + "ff"},
		{"order-2", "the point of order 2", "ec" + ff + "7f"},
		{"order-2-signed", "the point of order 2 with a sign that x = 0 does not have", "ec" + ff + "ff"},
		{"order-4", "a point of order 4: all bits are zero", "00" + zero + "00"},
		{"order-4-signed", "the other point of order 4", "00" + zero + "80"},
		{"order-4-over-p", "a point of order 4 with y = p", "ed" + ff + "7f"},
		{"order-4-over-p-signed", "the other point of order 4 with y = p", "ed" + ff + "ff"},
		{"order-8", "a point of order 8", eight + "05"},
		{"order-8-signed", "a second point of order 8", eight + "85"},
		{"order-8-other", "a third point of order 8", otherEight + "7a"},
		{"order-8-other-signed", "a fourth point of order 8", otherEight + "fa"},
		{"y-over-p", "y = p + 3, of a point that is not of small order", "f0" + ff + "7f"},
		{"y-highest", "y = 2^255 - 1 and a sign: all bits are ones", "ff" + ff + "ff"},
	}
}

// weak adds line objects that introduce such a key in the place of one that is there.
func (s *set) weak(x *subject, name, what, inPlaceOf string, only ...string) {
	for _, k := range weakKeys() {
		if len(only) > 0 && !strings.Contains(" "+strings.Join(only, " ")+" ", " "+k.name+" ") {
			continue
		}
		s.line(x, name+"-"+k.name, what+": "+k.description, malformed, swap(inPlaceOf, spki(k.raw)))
	}
}
