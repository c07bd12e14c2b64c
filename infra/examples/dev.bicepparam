// As cheap as it gets: nothing is kept warm, nothing asks from outside, one copy of the data.

using '../main.bicep'

param name = 'fetchdev'
param operatorPrincipalId = readEnvironmentVariable('OPERATOR_ID', '')
param sealingKey = readEnvironmentVariable('SEALING_KEY', '')

param alwaysReadyInstances = 0
param maximumInstanceCount = 2
param availabilityTest = false
param accountStorageSku = 'Standard_LRS'
param tablePrefix = 'dev'
param logDailyCapGB = 1
param telemetry = { tracePercent: 100 }
param audit = { retentionDays: 30 }
