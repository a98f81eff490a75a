package main

import "testing"

func TestWithoutKeys(t *testing.T) {
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	for in, want := range map[string]string{
		"no key": "no key",
		`stat {"key_id":"ab","entry_key":"` + key + `","manifest_key":"` + key + `"}: no such file`: `stat {"key_id":"ab","entry_key":"[secret]","manifest_key":"[secret]"}: no such file`,
		`{"name":"online","key":"` + key + `"}`:                                                     `{"name":"online","key":"[secret]"}`,
		`secret "{\"entry_key\":\"` + key + `\"}"`:                                                  `secret "{\"entry_key\":\"[secret]\"}"`,
		`{"manifest_key": "` + key[:9]:                                                              `{"manifest_key": "[secret]`,
		`{"key":"segments/date=2026-11-22/hour=17/x"}`:                                              `{"key":"segments/date=2026-11-22/hour=17/x"}`,
		`"public_key":"MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="`:               `"public_key":"MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="`,
	} {
		if got := withoutKeys(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}
