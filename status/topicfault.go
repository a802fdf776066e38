package status

import "shelfstream/internal/fault"

// TopicFault is what keeps a process from a topic of the status system; may is "read" or "write". What is wrong with the log as a whole stays what it is. That the
// user may not use this topic is no trouble of the log: the data goes on, so it has the cause that says so.
func TopicFault(cause fault.Cause, topic, what, may string, err error) *fault.Fault {
	f := &fault.Fault{
		Class: fault.Environment, Cause: cause, Where: "topic " + topic, What: what, Err: err,
		Fix: "see that the brokers run and that this user may " + may + " the topic",
	}
	if l := fault.All(err); len(l) > 0 {
		if l[0].Cause != fault.KafkaDenied {
			return l[0]
		}
		f.Where, f.Err, f.Fix = l[0].Where, l[0].Err, f.Fix+": "+l[0].Fix
	}
	return f
}
