package fault

import (
	"regexp"
	"strconv"
)

// yamlWords is how go.yaml.in/yaml begins its errors.
var yamlWords = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?(?:line (\d+): )?(.*)`)

// YAMLError takes an error of the YAML parser apart: the line that it names, 0 if it names none, and what is wrong, without the parser's own prefix. Of several
// it gives the first.
func YAMLError(err error) (line int, what string) {
	m := yamlWords.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, err.Error()
	}
	line, _ = strconv.Atoi(m[1]) // 0 for none
	return line, m[2]
}
