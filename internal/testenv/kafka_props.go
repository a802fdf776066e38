package testenv

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// properties is the broker's configuration. What is not set here is as Apache ships it.
func (c *kafkaConfig) properties(data string) map[string]string {
	var listeners, advertised []string
	protocols := []string{"CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"}
	add := func(name, protocol string, port int) {
		if port == 0 {
			return
		}
		at := name + "://" + hostPort(port)
		listeners, advertised = append(listeners, at), append(advertised, at)
		if protocol != name {
			protocols = append(protocols, name+":"+protocol)
		}
	}
	add("PLAINTEXT", "PLAINTEXT", c.port)
	add("USERS", "SASL_PLAINTEXT", c.saslPort)
	add("TLS", "SSL", c.tlsPort)
	add("USERSTLS", "SASL_SSL", c.saslTLSPort)
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + hostPort(c.controllerPort),
		"controller.listener.names":                        "CONTROLLER",
		"inter.broker.listener.name":                       "PLAINTEXT",
		"listeners":                                        strings.Join(append(listeners, "CONTROLLER://"+hostPort(c.controllerPort)), ","),
		"advertised.listeners":                             strings.Join(advertised, ","),
		"listener.security.protocol.map":                   strings.Join(protocols, ","),
		"log.dirs":                                         data,
		"auto.create.topics.enable":                        "false",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
	}
	if c.users != nil {
		p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
		var plain strings.Builder
		plain.WriteString("org.apache.kafka.common.security.plain.PlainLoginModule required")
		for _, u := range slices.Sorted(maps.Keys(c.users)) {
			fmt.Fprintf(&plain, " user_%s=%q", u, c.users[u])
		}
		for _, l := range []string{"users", "userstls"} {
			p["listener.name."+l+".plain.sasl.jaas.config"] = plain.String() + ";"
			for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
				p["listener.name."+l+"."+m+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
			}
		}
	}
	if c.tls != nil {
		p["ssl.keystore.type"] = "PEM"
		p["ssl.keystore.key"] = pemProperty(c.tls.keyPEM)
		p["ssl.keystore.certificate.chain"] = pemProperty(c.tls.certPEM)
		p["ssl.client.auth"] = "none"
	}
	maps.Copy(p, c.props)
	return p
}

// pemProperty writes PEM text as one line of a properties file: its line ends become the escape \n.
func pemProperty(pem []byte) string {
	return strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", `\n`)
}

// base64UUID is Kafka's way to write a cluster id.
func base64UUID(id uuid.UUID) string {
	s := base64.RawURLEncoding.EncodeToString(id[:])
	if strings.HasPrefix(s, "-") { // the tool would take it for an option
		id[0] = 1
		return base64UUID(id)
	}
	return s
}
