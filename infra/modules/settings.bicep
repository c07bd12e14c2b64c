// The endpoint's numeric settings: names and ranges as Settings.cs has them, so that a wrong one fails before anything is deployed.

@export()
@sealed()
@description('Cost of new hashes.')
type argon2Cost = {
  @minValue(8)
  @maxValue(262144)
  memoryKib: int?

  @minValue(1)
  @maxValue(10)
  passes: int?

  @minValue(1)
  @maxValue(16)
  lanes: int?
}

@export()
@sealed()
@description('Memory for all hashes of an instance together, and the costs of stored ones.')
type hashingLimits = {
  @minValue(0)
  @maxValue(1048576)
  memoryMib: int?

  @description('Costs in use beside argon2, as KIB:PASSES:LANES or pbkdf2:ITERATIONS, separated by commas.')
  alsoInUse: string?
}

@export()
@sealed()
@description('Failed logins that are judged before further ones get 429.')
type attemptLimits = {
  @minValue(1)
  @maxValue(1000)
  perAccount: int?

  @minValue(1)
  @maxValue(1000)
  perAddress: int?
}

@export()
@sealed()
@description('Where the client\'s address is found: needed only behind a proxy of your own.')
type clientAddress = {
  header: string?

  @minValue(0)
  @maxValue(10)
  trustedHops: int?
}

@export()
@sealed()
@description('What is traced beside metrics and logs, which all are sent.')
type telemetrySettings = {
  @minValue(0)
  @maxValue(100)
  tracePercent: int?
}

@export()
@sealed()
@description('How long security events are kept.')
type auditSettings = {
  @minValue(1)
  @maxValue(3650)
  retentionDays: int?
}

@export()
@description('App settings of one section; only what was given.')
func settingsOf(section string, values object) object =>
  toObject(items(values), item => '${section}__${item.key}', item => string(item.value))
