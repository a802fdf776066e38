package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	kgo "github.com/segmentio/kafka-go"
	configsAPI "github.com/segmentio/kafka-go/protocol/describeconfigs"
	alterAPI "github.com/segmentio/kafka-go/protocol/incrementalalterconfigs"

	"shelfstream/internal/fault"
)

// topicResource is the kind of resource that a topic is, in requests about settings.
const topicResource = 2

// TopicSettings is the value of one setting, such as max.message.bytes, that holds for each of the topics, by topic. Topics that do not exist, and
// those whose settings this user may not see, are missing from it; it is "" where the broker does not list the setting.
func (c *Client) TopicSettings(ctx context.Context, setting string, topics ...string) (map[string]string, error) {
	req := &configsAPI.Request{}
	for _, t := range topics {
		req.Resources = append(req.Resources, configsAPI.RequestResource{ResourceType: topicResource, ResourceName: t, ConfigNames: []string{setting}})
	}
	var out map[string]string
	err := c.retrying(ctx, "settings of "+strings.Join(topics, ", "), func(ctx context.Context) error {
		m, err := c.askAny(ctx, req)
		if err != nil {
			return err
		}
		out = map[string]string{}
		for _, r := range m.(*configsAPI.Response).Resources {
			switch e := kgo.Error(r.ErrorCode); e {
			case 0:
			case kgo.TopicAuthorizationFailed, kgo.UnknownTopicOrPartition:
				continue
			default:
				return fmt.Errorf("settings of %s: %w", r.ResourceName, e)
			}
			out[r.ResourceName] = ""
			for _, entry := range r.ConfigEntries {
				if entry.ConfigName == setting {
					out[r.ResourceName] = entry.ConfigValue
				}
			}
		}
		return nil
	})
	return out, err
}

// raise sets those numbers of a topic that are lower than they must be. What this user may not see is taken to be right.
func (c *Client) raise(ctx context.Context, s TopicSpec) error {
	for _, setting := range slices.Sorted(maps.Keys(s.Least)) {
		set, err := c.TopicSettings(ctx, setting, s.Name)
		if err != nil {
			return err
		}
		text, seen := set[s.Name]
		if have, err := strconv.ParseInt(text, 10, 64); !seen || err == nil && have >= s.Least[setting] {
			continue
		}
		if err := c.alter(ctx, s.Name, setting, strconv.FormatInt(s.Least[setting], 10)); err != nil {
			return err
		}
	}
	return nil
}

// alter sets one setting of a topic and leaves the others.
func (c *Client) alter(ctx context.Context, topic, setting, value string) error {
	m, err := c.askAny(ctx, &alterAPI.Request{Resources: []alterAPI.RequestResource{{
		ResourceType: topicResource, ResourceName: topic, Configs: []alterAPI.RequestConfig{{Name: setting, Value: value}},
	}}})
	if err != nil {
		return err
	}
	for _, r := range m.(*alterAPI.Response).Responses {
		if r.ErrorCode == 0 {
			continue
		}
		err := error(kgo.Error(r.ErrorCode))
		if transient(err) {
			return err
		}
		if r.ErrorMessage != "" {
			err = fmt.Errorf("%w (%s)", err, r.ErrorMessage)
		}
		return &fault.Fault{
			Class: fault.Environment, Cause: fault.KafkaDenied, Where: "topic " + topic, What: fmt.Sprintf("its %s must be at least %s, and Kafka does not let this user set it", setting, value),
			Fix: fmt.Sprintf("run kafka-configs --bootstrap-server … --alter --entity-type topics --entity-name %s --add-config %s=%s as a user who may, or grant AlterConfigs on the topic", topic, setting, value),
			Err: err,
		}
	}
	return nil
}
