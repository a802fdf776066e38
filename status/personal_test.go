package status

import "testing"

func TestPersonal(t *testing.T) {
	for in, want := range map[string]string{
		"kari.nordmann+x@example.no is unknown":         "****@example.no is unknown",
		"<Åse@bücher.example>":                          "<****@bücher.example>",
		"call +47 22 33 44 55 or +49 (0)40/123-456":     "call +**** or +****",
		"Tel.: 040 123456, fax 0401234567":              "Tel.: ****, fax ****",
		`{"phone":"22334455","mobile_no": 99887766}`:    `{"phone":"****","mobile_no": ****}`,
		"product 7038010009457 at moestue.product/3@10": "product 7038010009457 at moestue.product/3@10",
		"0/16B3748 1+1234 price +5 hotel 5 12345678":    "0/16B3748 1+1234 price +5 hotel 5 12345678",
		"10.0.0.1:3306 2026-11-22T08:00:00+01:00":       "10.0.0.1:3306 2026-11-22T08:00:00+01:00",
		"": "",
	} {
		if got := Personal(in); got != want {
			t.Errorf("%q\n gives %q\n want  %q", in, got, want)
		}
	}
}
