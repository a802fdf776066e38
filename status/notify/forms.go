package notify

import (
	"fmt"
	"strings"
	"time"

	"shelfstream/status/escalate"
)

type object = map[string]any

// slack is a message for an incoming webhook: blocks, and text for notifications and for programs that show no blocks. A block's text may have 3,000
// characters, a message 50 blocks (Slack's Block Kit reference).
func slack(to string, m escalate.Message, c *Content) object {
	head := title(m, c)
	if to != "" {
		head = to + " " + head // "<@U012AB3CD>" or "<!here>" calls somebody
	}
	blocks := []object{{"type": "header", "text": object{"type": "plain_text", "text": cut(title(m, c), 150)}}}
	if to != "" {
		blocks = append(blocks, object{"type": "section", "text": object{"type": "mrkdwn", "text": to}})
	}
	all := c.all()
	for i := range all {
		if i >= maxOthers {
			blocks = append(blocks, slackText(fmt.Sprintf("… and %d more", len(all)-i)))
			break
		}
		one := &all[i]
		if len(all) > 1 {
			text := fmt.Sprintf("*%d.* %s: %s", i+1, slackEscape(string(one.Reason)), slackEscape(oneLine(about(one))))
			if one.PageURL != "" {
				text += " <" + one.PageURL + "|look at it>"
			}
			blocks = append(blocks, slackText(text))
			continue
		}
		var text strings.Builder
		for _, f := range facts(one) {
			text.WriteString("*" + f.label + ":* " + slackEscape(f.text) + "\n")
		}
		blocks = append(blocks, slackText(strings.TrimSuffix(text.String(), "\n")))
		var buttons []object
		for _, l := range links(one) {
			buttons = append(buttons, object{"type": "button", "text": object{"type": "plain_text", "text": l.label}, "url": l.text})
		}
		if len(buttons) > 0 {
			blocks = append(blocks, object{"type": "actions", "elements": buttons})
		}
	}
	return object{"text": head, "blocks": blocks}
}

func slackText(text string) object {
	return object{"type": "section", "text": object{"type": "mrkdwn", "text": cut(text, 3000)}}
}

var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// teams is what a Teams workflow "when a webhook request is received" posts: a message with one adaptive card. A message may have 28 KB.
func teams(m escalate.Message, c *Content) object {
	colour := map[string]string{string(escalate.Critical): "Attention", string(escalate.Error): "Attention", string(escalate.Warning): "Warning"}[c.Severity]
	if m.Reason == escalate.AllClear {
		colour = "Good"
	}
	if colour == "" {
		colour = "Default"
	}
	body := []object{{"type": "TextBlock", "text": title(m, c), "size": "Large", "weight": "Bolder", "wrap": true, "color": colour}}
	var actions []object
	all := c.all()
	for i := range all {
		if i >= maxOthers {
			body = append(body, object{"type": "TextBlock", "text": fmt.Sprintf("… and %d more", len(all)-i)})
			break
		}
		one := &all[i]
		if len(all) > 1 {
			body = append(body, object{"type": "TextBlock", "text": fmt.Sprintf("%d. %s: %s", i+1, one.Reason, oneLine(about(one))), "wrap": true})
			continue
		}
		var set []object
		for _, f := range facts(one) {
			set = append(set, object{"title": f.label, "value": f.text})
		}
		body = append(body, object{"type": "FactSet", "facts": set})
		for _, l := range links(one) {
			actions = append(actions, object{"type": "Action.OpenUrl", "title": l.label, "url": l.text})
		}
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "msteams": object{"width": "Full"}, "body": body}
	if len(actions) > 0 {
		card["actions"] = actions
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}}
}

// alertLasts is for how long an alert counts without news: Alertmanager takes one without endsAt for over after its resolve_timeout, five minutes, as it is
// used to hear of it again and again.
const alertLasts = 30 * 24 * time.Hour

// alerts is the body of Alertmanager's POST /api/v2/alerts: one alert for each incident, told apart by its labels; the all-clear ends it.
func alerts(c *Content, now time.Time) []object {
	var out []object
	for _, one := range c.all() {
		labels := object{"alertname": "ShelfstreamIncident", "incident": one.Incident, "severity": one.Severity, "pipeline": one.Pipeline}
		for name, v := range map[string]string{"link": one.Link, "data": one.Data, "cause": one.Cause} {
			if v != "" { // a label without a value counts as none
				labels[name] = v
			}
		}
		notes := object{"summary": oneLine(about(&one))}
		for name, v := range map[string]string{"where": one.Where, "what_to_do": one.Fix, "command": one.Command, "samples": strings.Join(one.Samples, ", "), "acknowledge": one.AckURL} {
			if v != "" {
				notes[name] = v
			}
		}
		alert := object{"labels": labels, "annotations": notes, "endsAt": now.Add(alertLasts).UTC().Format(time.RFC3339)}
		if !one.Opened.IsZero() {
			alert["startsAt"] = one.Opened.UTC().Format(time.RFC3339)
		}
		if one.Reason == escalate.AllClear {
			ends := one.Resolved
			if ends.IsZero() {
				ends = now
			}
			alert["endsAt"] = ends.UTC().Format(time.RFC3339)
		}
		if one.PageURL != "" {
			alert["generatorURL"] = one.PageURL
		}
		out = append(out, alert)
	}
	return out
}
