package secretsmanager

import "testing"

func TestDeniesDeletion(t *testing.T) {
	for _, c := range []struct {
		name, policy string
		want, fails  bool
	}{
		{"all principals", `{"Statement":[{"Effect":"Deny","Principal":"*","Action":["secretsmanager:DeleteSecret"],"Resource":"*"}]}`, true, false},
		{"one statement, one action", `{"Statement":{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"secretsmanager:Delete*","Resource":"*"}}`, true, false},
		{"everything", `{"Statement":[{"Effect":"Deny","Principal":{"AWS":["*"]},"Action":"*","Resource":"*"}]}`, true, false},
		{"case", `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"SecretsManager:deletesecret"}]}`, true, false},
		{"another action", `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"secretsmanager:DeleteResourcePolicy"}]}`, false, false},
		{"one principal", `{"Statement":[{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:role/x"},"Action":"*"}]}`, false, false},
		{"with a condition", `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"Bool":{"a":"true"}}}]}`, false, false},
		{"allowed", `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"}]}`, false, false},
		{"no statement", `{}`, false, false},
		{"no JSON", `{"Statement":`, false, true},
	} {
		got, err := deniesDeletion(c.policy)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %t, %v", c.name, got, err)
		}
	}
}
