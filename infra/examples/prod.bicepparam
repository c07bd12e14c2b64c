// An organisation's login: storages and vault off the public network, two instances warm, copies in a second region, alerts by mail.

using '../main.bicep'

param name = 'fetchprod'
param operatorPrincipalId = readEnvironmentVariable('OPERATOR_ID', '')
param sealingKey = readEnvironmentVariable('SEALING_KEY', '')

param customDomains = ['chat.example.com']
param realmHosts = { 'chat.example.org': 'org' }
param privateNetwork = true
param alwaysReadyInstances = 2
param maximumInstanceCount = 100
param accountStorageSku = 'Standard_GZRS'
param alertEmails = ['operations@example.com']
param logRetentionDays = 90
param logDailyCapGB = 10

// Many people share the address of an office, and so its limit.
param attempts = { perAddress: 300 }

// A rotation: k1 is still read, k2 seals.
param sealingKeyIds = ['k1', 'k2']
