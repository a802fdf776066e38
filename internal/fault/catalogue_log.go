package fault

// The causes in the log, the registry, and what stands in the topics.
const (
	KafkaUnreachable  Cause = "kafka.unreachable"
	KafkaClosed       Cause = "kafka.connection_closed"
	KafkaLogin        Cause = "kafka.login"
	KafkaDenied       Cause = "kafka.denied"
	KafkaTopicMissing Cause = "kafka.topic_missing"
	KafkaReplicas     Cause = "kafka.too_few_brokers"
	KafkaPartitions   Cause = "kafka.partitions"
	KafkaTopicSetting Cause = "kafka.topic_setting"
	KafkaGroupForeign Cause = "kafka.group_foreign"
	KafkaTooLarge     Cause = "kafka.record_too_large"
	KafkaRecordsLost  Cause = "kafka.records_lost"
	KafkaBatchBroken  Cause = "kafka.batch_broken"
	KafkaStoreFailed  Cause = "kafka.store_failed"

	RegistryUnreachable Cause = "registry.unreachable"
	RegistryNotOne      Cause = "registry.somebody_else"
	RegistryLogin       Cause = "registry.login"
	RegistryForbids     Cause = "registry.incompatible"
	RegistryRefused     Cause = "registry.refused"
	RegistryTwice       Cause = "registry.two_owners"
	RegistryMissing     Cause = "registry.schema_missing"
	RegistryForeign     Cause = "registry.schema_foreign"

	TopicForeign  Cause = "topic.foreign_record"
	TopicShape    Cause = "topic.other_shape"
	TopicLost     Cause = "topic.end_lost"
	LedgerLost    Cause = "topic.deliveries_lost"
	SignalForeign Cause = "topic.foreign_request"
	RowUnwritable Cause = "row.unwritable"
	RowsTooMany   Cause = "row.too_many_parked"
)

func kafkaEntries() []Entry {
	const system = "Kafka"
	return []Entry{
		{KafkaUnreachable, system, "The log's brokers do not answer", Connection, Critical, "start the brokers, or correct log.brokers; the ERP keeps its changes meanwhile", "shelfstream check -connect", true},
		{KafkaClosed, system, "The log's brokers close the connection", Refused, Critical, "correct log.sasl and log.tls", "shelfstream check -connect", true},
		{KafkaLogin, system, "The log's brokers refuse the login", Refused, Critical, "correct mechanism, user and password under log.sasl, or the user in Kafka", "shelfstream check -connect", true},
		{KafkaDenied, system, "Kafka denies the user an operation", Refused, Critical, "grant it with kafka-acls as the fault says", "shelfstream check -connect", true},
		{KafkaTopicMissing, system, "A topic is gone", Lost, Critical, "start the stages again, which makes it; what stood in it is sent again", "", false},
		{KafkaReplicas, system, "There are fewer brokers than replicas asked for", Refused, Critical, "lower log.replication, or add brokers", "shelfstream check -connect", false},
		{KafkaPartitions, system, "A topic has another number of partitions than the configuration", Refused, Critical, "set log.partitions to what the topics have", "shelfstream check -connect", false},
		{KafkaGroupForeign, system, "Other programs are members of the pipeline's consumer group", Conflict, Critical, "stop them, or rename the pipeline", "", true},
		{KafkaTooLarge, system, "A row or product is larger than its topic accepts", Invalid, Error, "make it smaller, or raise max.message.bytes of the topic", "", false},
		{KafkaRecordsLost, system, "The log lost records that it had acknowledged", Lost, Critical, "find what took them, and have the source read again whole", "shelfstream capture resnapshot", true},
		{KafkaTopicSetting, system, "The brokers refuse a topic", Refused, Critical, "correct log.topics or log.partitions as the broker's message says; delete a topic whose name collides, or rename the pipeline", "", false},
		{KafkaBatchBroken, system, "The log holds a batch that cannot be read", Lost, Critical, "check the broker's disk; delete the records up to the batch's end, and have what stood there sent anew", "shelfstream capture resnapshot", true},
		{KafkaStoreFailed, system, "The brokers could not store records", Full, Critical, "look into the broker's log; a full disk is the usual cause; then start again", "", false},
	}
}

func registryEntries() []Entry {
	const system = "Registry"
	return []Entry{
		{RegistryUnreachable, system, "The schema registry does not answer", Connection, Critical, "start it, or correct log.registry.url", "shelfstream check -connect", true},
		{RegistryNotOne, system, "Another server answers at the schema registry's address", Connection, Critical, "correct log.registry.url, or the proxy before the registry", "shelfstream check -connect", true},
		{RegistryForbids, system, "The registry forbids a change of a table", Refused, Critical, "set the subject's compatibility to NONE", "", true},
		{RegistryMissing, system, "A schema is not in the registry", Lost, Error, "let log.registry name the registry that the topic's writer uses", "", true},
		{RegistryForeign, system, "A schema in the registry is no table's", Invalid, Critical, "remove the schema that another program registered", "", true},
		{RegistryLogin, system, "The registry refuses the login", Refused, Critical, "correct log.registry.user and password, and what the user may do", "", true},
		{RegistryRefused, system, "The registry refuses a request", Refused, Critical, "see the registry's answer and its log; one that is read-only is to be made writable", "", true},
		{RegistryTwice, system, "Two processes run the embedded registry of one log", Conflict, Critical, "run one of them only, or name a registry for all in log.registry.url", "", false},
	}
}

func topicEntries() []Entry {
	const system = "Topics"
	return []Entry{
		{TopicForeign, system, "A record in the pipeline's topics was written by somebody else", Invalid, Error, "stop who writes there, and delete the record with a tombstone: the same key without a value", "", true},
		{TopicShape, system, "Records cannot be read as the table is now", Invalid, Error, "have the table read again, so that every row is written in its present shape", "shelfstream capture resnapshot -source <source> -table <table>", true},
		{TopicLost, system, "A topic ends before what was written to it", Lost, Critical, "delete the source's checkpoint topic too; everything is read again", "", true},
		{LedgerLost, system, "What a sink has delivered is not known any more", Lost, Critical, "restore the topic of its deliveries, or say from where on to deliver; what came before counts as delivered", "shelfstream replay <sink> -to <time>", true},
		{SignalForeign, system, "A request in the signals topic is not understood", Invalid, Warning, "ask with the command", "shelfstream capture resnapshot -source <source>", true},
		{RowUnwritable, system, "A row has no form in which it can be written", Invalid, Error, "correct the value in the ERP, or leave the column out under columns", "shelfstream capture resnapshot -source <source> -table <table>", true},
		{RowsTooMany, system, "So many rows are parked that it is not single rows that are bad", Invalid, Critical, "look at the reasons in the parked topic", "shelfstream parked <source>", true},
	}
}
