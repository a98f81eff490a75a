package vectors

import (
	"fmt"
)

// checkpoints adds the C2SP form of an attestation log's head.
func (s *set) checkpoints() {
	verifier := newKey(6)
	const name = origin + "/verifier"
	leaves := []string{leaf("a"), leaf("b"), leaf("c"), leaf("d"), leaf("e")}
	for size, description := range map[int]string{1: "behind the first attestation", 5: "behind the fifth"} {
		text := fmt.Sprintf("%s\n%d\n%s\n", name, size, b64([]byte(tree(leaves[:size]))))
		hash := sum(name + "\n\x01" + string(verifier.raw()))[:4]
		note := text + "\n\u2014 " + name + " " + b64([]byte(hash+string(verifier.sign(text)))) + "\n"
		s.add("checkpoint", fmt.Sprintf("size-%d", size), Vector{Description: description, Input: note, Name: name, PublicKey: verifier.public()})
	}
}
