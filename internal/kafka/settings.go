package kafka

import (
	"context"
	"fmt"
	"strings"

	kgo "github.com/segmentio/kafka-go"
	configsAPI "github.com/segmentio/kafka-go/protocol/describeconfigs"
)

// topicResource is the kind of resource that a topic is, in requests about settings.
const topicResource = 2

// TopicSettings is the value of one setting, such as max.message.bytes, that holds for each of the topics, by topic. Topics that do not exist, and
// those whose settings this user may not see, are missing from it.
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
