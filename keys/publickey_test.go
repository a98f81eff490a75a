package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/wormlog/wormlog/internal/lineobject"
)

// curve is edwards25519 in affine coordinates with big numbers, as RFC 8032 section 5.1 defines it: slow, and nothing else
// than the definition.
type point struct{ x, y *big.Int }

var (
	curveP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD = mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), curveP)))
)

func mod(n *big.Int) *big.Int { return new(big.Int).Mod(n, curveP) }

func mul(a, b *big.Int) *big.Int { return mod(new(big.Int).Mul(a, b)) }

// decode is lenient: it takes y of p or more, and a sign for x = 0. ok is false if there is no such point.
func decode(raw []byte) (p point, canonical, ok bool) {
	y := slices.Clone(raw)
	sign := y[31] >> 7
	y[31] &= 0x7f
	slices.Reverse(y)
	n := new(big.Int).SetBytes(y)
	canonical = n.Cmp(curveP) < 0
	p.y = mod(n)
	y2 := mul(p.y, p.y)
	x2 := mul(mod(new(big.Int).Sub(y2, big.NewInt(1))), new(big.Int).ModInverse(mod(new(big.Int).Add(mul(curveD, y2), big.NewInt(1))), curveP))
	if p.x = new(big.Int).ModSqrt(x2, curveP); p.x == nil {
		return p, canonical, false
	}
	if p.x.Sign() == 0 {
		return p, canonical && sign == 0, true
	}
	if byte(p.x.Bit(0)) != sign {
		p.x = mod(new(big.Int).Neg(p.x))
	}
	return p, canonical, true
}

func (p point) add(q point) point {
	d := mul(curveD, mul(mul(p.x, q.x), mul(p.y, q.y)))
	one := big.NewInt(1)
	x := mul(mod(new(big.Int).Add(mul(p.x, q.y), mul(p.y, q.x))), new(big.Int).ModInverse(mod(new(big.Int).Add(one, d)), curveP))
	y := mul(mod(new(big.Int).Add(mul(p.y, q.y), mul(p.x, q.x))), new(big.Int).ModInverse(mod(new(big.Int).Sub(one, d)), curveP))
	return point{x, y}
}

// order is 1, 2, 4 or 8 for the points of small order, 0 for all others.
func (p point) order() int {
	for n := 1; n <= 8; n *= 2 {
		if p.x.Sign() == 0 && p.y.Cmp(big.NewInt(1)) == 0 {
			return n
		}
		p = p.add(p)
	}
	return 0
}

// Under a key of small order anyone can sign: 8 h A is the neutral point whatever the message is, and h A often enough.
// Nothing that has one is accepted, in any of its fourteen encodings, nor any y that is not below p.
func TestKeysThatProveNothing(t *testing.T) {
	zero, ff := strings.Repeat("00", 30), strings.Repeat("ff", 30)
	refused := map[string]int{}
	for _, last := range []string{"00", "80"} {
		refused["01"+zero+last], refused["00"+zero+last] = 1, 4
	}
	for _, last := range []string{"7f", "ff"} {
		refused["ec"+ff+last], refused["ed"+ff+last], refused["ee"+ff+last] = 2, 4, 1
	}
	for _, last := range []string{"05", "85"} {
		refused["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"+last] = 8
	}
	for _, last := range []string{"7a", "fa"} {
		refused["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"+last] = 8
	}
	if len(refused) != 14 {
		t.Fatalf("%d encodings", len(refused))
	}
	points := map[string]bool{}
	for text, order := range refused {
		raw, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		p, _, ok := decode(raw)
		if !ok || p.order() != order {
			t.Errorf("%s has order %d, not %d: the test is wrong", text, p.order(), order)
		}
		points[p.x.String()+","+p.y.String()] = true
		wantNoKey(t, text, raw)
	}
	if len(points) != 8 {
		t.Errorf("these are encodings of %d points, and there are eight of small order", len(points))
	}
	onCurve := 0
	for low := 0xed; low <= 0xff; low++ { // y from p to 2^255-1
		for _, last := range []byte{0x7f, 0xff} {
			raw := append(append([]byte{byte(low)}, bytes.Repeat([]byte{0xff}, 30)...), last)
			_, canonical, ok := decode(raw)
			if canonical {
				t.Errorf("%x is canonical: the test is wrong", raw)
			}
			if ok {
				onCurve++
			}
			wantNoKey(t, hex.EncodeToString(raw), raw)
		}
	}
	t.Logf("%d of the 38 encodings with y from p on are those of points", onCurve)
}

func wantNoKey(t *testing.T, name string, raw []byte) {
	t.Helper()
	pub := NewPublicKey(raw)
	if err := pub.Check(AlgorithmEd25519); err == nil {
		t.Errorf("%s passes", name)
	}
	if _, err := pub.Ed25519(); err == nil {
		t.Errorf("%s passes as an Ed25519 key", name)
	}
	r := vectorRecord()
	r.PublicKey = pub
	if _, err := r.Line(); err == nil {
		t.Errorf("%s passes in a key record", name)
	}
	a := Authority{Name: "online", Algorithm: AlgorithmEd25519, PublicKey: pub}
	if err := a.Valid(); err == nil || a.ID() != "" || StreamKeyID(pub) != "" {
		t.Errorf("%s passes as an authority or stream key", name)
	}
}

// The forgery that this is about: R = S B with the neutral point as key, made by nobody.
func TestForgeryUnderTheNeutralPoint(t *testing.T) {
	neutral := append([]byte{1}, make([]byte, 31)...)
	forged := append(slices.Clone(neutral), make([]byte, 32)...)
	if !ed25519.Verify(neutral, []byte("any message"), forged) {
		t.Fatal("Go refuses it already: then so may this package, and the test shows nothing")
	}
	o := lineobject.Object{Line: []byte("{}"), KeyID: string(testID), Signature: forged}
	if err := VerifyLine(KindManifest, testLog, testID, NewPublicKey(neutral), o); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a forgery passes: %v", err)
	}
}

func TestKeysThatProveSomething(t *testing.T) {
	for range 200 {
		raw := ed25519.NewKeyFromSeed(randomSeed().bytes()).Public().(ed25519.PublicKey)
		p, canonical, ok := decode(raw)
		if !ok || !canonical || p.order() != 0 {
			t.Fatalf("%x: the test is wrong", raw)
		}
		if err := NewPublicKey(raw).Check(AlgorithmEd25519); err != nil {
			t.Errorf("%x: %v", raw, err)
		}
	}
	// The least and the greatest y that a point of large order has.
	for _, near := range []struct {
		first byte
		rest  byte
		last  byte
		step  int
	}{{2, 0, 0, 1}, {0xeb, 0xff, 0x7f, -1}} {
		raw := append(append([]byte{near.first}, bytes.Repeat([]byte{near.rest}, 30)...), near.last)
		for _, _, ok := decode(raw); !ok; _, _, ok = decode(raw) {
			raw[0] = byte(int(raw[0]) + near.step)
		}
		if err := NewPublicKey(raw).Check(AlgorithmEd25519); err != nil {
			t.Errorf("%x: %v", raw, err)
		}
	}
}
