package main

// commands is the table of subcommands, in the order in which help lists them. Each has a file of its own.
func commands() []command {
	return []command{
		runCommand(),
		demoCommand(),
		captureCommand(),
		transformCommand(),
		sinkCommand(),
		checkCommand(),
		testCommand(),
		statusCommand(),
		incidentsCommand(),
		ackCommand(),
		alertsTestCommand(),
		explainCommand(),
		planCommand(),
		heldListCommand(),
		heldApplyCommand(),
		parkedCommand(),
		parkedRetryCommand(),
		parkedSkipCommand(),
		replayCommand(),
		resnapshotCommand(),
		passwordCommand(),
		schemaCommand(),
		rulesCommand(),
		versionCommand(),
	}
}
