// Everything one endpoint runs on: two storages, a vault, an app on Flex Consumption with one identity, and what watches it.

import {
  argon2Cost
  attemptLimits
  auditSettings
  clientAddress
  hashingLimits
  telemetrySettings
  settingsOf
} from 'modules/settings.bicep'
import { alertThresholds } from 'modules/alerts.bicep'

@description('What the names of all resources begin with: lower-case letters and digits, a letter first.')
@minLength(2)
@maxLength(10)
param name string

@description('A region that offers Flex Consumption: az functionapp list-flexconsumption-locations')
param location string = resourceGroup().location

@description('Which of the two packages is uploaded: the .NET isolated worker, or the custom handler.')
@allowed(['isolated', 'custom'])
param host string = 'isolated'

// 2048 MB come with one processor, so one hash is computed at a time, in 100 of the 1024 MiB that half of the memory is.
// 512 MB come with a quarter of a processor and hold little beside the Functions host: lower argon2.memoryKib with it.
@description('Memory of an instance in MB; its processors follow from it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

// One hash takes 40 ms of a fast processor, say 100 of a shared one: the last of 16 then waits less than 2 of the 5 seconds that
// a login may wait, and Azure adds instances before that. The queue of 256 is for bursts that come faster than instances.
@description('Requests that an instance is given at once before another is started.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Upper bound of the number of instances, and so of the cost of a flood.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that are kept warm; with 0 the first login after a pause waits for a cold start.')
@minValue(0)
@maxValue(1000)
param alwaysReadyInstances int = 1

@description('Host names beside the app\'s own *.azurewebsites.net that clients reach the endpoint by; bind each with domain.bicep.')
param customDomains string[] = []

@description('Host names that are a realm\'s own, each with its subdomain, @ for the root realm; none of customDomains. Bind each likewise.')
param realmHosts { *: string } = {}

@description('IDs of the keys that API keys are sealed with. All are read, the last one seals.')
@minLength(1)
param sealingKeyIds string[] = ['k1']

@description('The key of the last ID, from keys generate. Give it only to make or replace that key; without it the vault keeps what it has.')
@secure()
param sealingKey string = ''

@description('Object ID of a person or group that runs the operator\'s commands with az login; empty for none.')
param operatorPrincipalId string = ''

@description('Prefix of the table names, a letter first.')
@maxLength(20)
param tablePrefix string = ''

@description('Redundancy of the account storage: the tables have no other copy.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_RAGRS', 'Standard_GZRS', 'Standard_RAGZRS'])
param accountStorageSku string = 'Standard_ZRS'

@description('Puts storages and vault behind private endpoints, without public access. The app itself stays public.')
param privateNetwork bool = false

@description('Address space of the private network, /24 or larger.')
param addressPrefix string = '10.20.0.0/24'

@description('Origins of browser applications, or *; none for no CORS.')
param corsAllowedOrigins string[] = []

// What is left out of these keeps the default of the README's table.
param argon2 argon2Cost = {}
param hashing hashingLimits = {}
param attempts attemptLimits = {}
param address clientAddress = {}
param telemetry telemetrySettings = {}
param audit auditSettings = {}

@description('Days that logs, requests and metrics are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('GB of telemetry a day, after which no more is taken: bounds the cost of a flood.')
@minValue(1)
@maxValue(1000)
param logDailyCapGB int = 2

@description('Who is told of alerts.')
param alertEmails string[] = []

param thresholds alertThresholds = {}

@description('Asks the endpoint from outside every five minutes whether it is ready. Keeps an instance awake.')
param availabilityTest bool = true

param tags object = {}

var suffix = take(uniqueString(resourceGroup().id, name), 8)
var names = {
  identity: '${name}-identity-${suffix}'
  workspace: '${name}-logs-${suffix}'
  insights: '${name}-insights-${suffix}'
  network: privateNetwork ? '${name}-network-${suffix}' : ''
  hostStorage: '${name}host${suffix}'
  accountStorage: '${name}data${suffix}'
  vault: '${name}-kv-${suffix}'
  app: '${name}-${suffix}'
}
var deploymentContainer = 'deployments'
var accountTables = 'https://${names.accountStorage}.table.${environment().suffixes.storage}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: names.identity
  location: location
  tags: tags
}

// Who reads and writes accounts and keys: the app, and the operator where there is one.
var theApp = { id: identity.id, principalId: identity.properties.principalId, type: 'ServicePrincipal' }
var operators = empty(operatorPrincipalId) ? [] : [{ id: operatorPrincipalId, principalId: operatorPrincipalId }]

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: names.workspace
    insightsName: names.insights
    location: location
    tags: tags
    retentionDays: logRetentionDays
    dailyCapGB: logDailyCapGB
    publishers: [theApp]
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  params: {
    name: names.network
    location: location
    tags: tags
    addressPrefix: addressPrefix
  }
}

// The Functions host's own: the package, its locks and keys.
module hostStorage 'modules/storage.bicep' = {
  params: {
    name: names.hostStorage
    location: location
    tags: tags
    service: 'blob'
    containers: [deploymentContainer]
    owners: [theApp]
    networkName: names.network
  }
  dependsOn: [network]
}

// Realms, accounts, attempts and the audit trail.
module accountStorage 'modules/storage.bicep' = {
  params: {
    name: names.accountStorage
    location: location
    tags: tags
    sku: accountStorageSku
    service: 'table'
    tables: map(['realms', 'accounts', 'userids', 'attempts', 'audit'], table => '${tablePrefix}${table}')
    owners: [theApp, ...operators]
    networkName: names.network
  }
  dependsOn: [network]
}

module vault 'modules/vault.bicep' = {
  params: {
    name: names.vault
    location: location
    tags: tags
    secretNames: map(sealingKeyIds, id => 'sealing-key-${id}')
    newestSecret: sealingKey
    readers: [theApp, ...operators]
    workspaceName: names.workspace
    networkName: names.network
  }
  dependsOn: [monitoring, network]
}

module app 'modules/app.bicep' = {
  params: {
    name: names.app
    location: location
    tags: tags
    host: host
    instanceMemoryMB: instanceMemoryMB
    httpConcurrency: httpConcurrency
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyInstances: alwaysReadyInstances
    identityName: names.identity
    hostStorageName: names.hostStorage
    deploymentContainer: deploymentContainer
    insightsName: names.insights
    networkName: names.network
    customDomains: customDomains
    settings: {
      AccountStorage__tableServiceUri: accountTables
      TablePrefix: tablePrefix
      RealmHosts: join(map(items(realmHosts), host => '${host.key}=${host.value}'), ',')
      CorsAllowedOrigins: join(corsAllowedOrigins, ',')
      ApiKeys__writeWith: last(sealingKeyIds)
      ...toObject(
        sealingKeyIds,
        id => 'ApiKeys__keys__${id}',
        id => '@Microsoft.KeyVault(VaultName=${names.vault};SecretName=sealing-key-${id})'
      )
      ...settingsOf('Argon2', argon2)
      ...settingsOf('Hashing', hashing)
      ...settingsOf('AttemptLimit', attempts)
      ...settingsOf('ClientAddress', address)
      ...settingsOf('Telemetry', telemetry)
      ...settingsOf('Audit', audit)
    }
  }
  dependsOn: [monitoring, network, hostStorage, accountStorage, vault]
}

module alerts 'modules/alerts.bicep' = {
  params: {
    name: name
    suffix: suffix
    location: location
    tags: tags
    workspaceName: names.workspace
    insightsName: names.insights
    accountStorageName: names.accountStorage
    emails: alertEmails
    thresholds: thresholds
    availabilityTest: availabilityTest
    url: app.outputs.url
  }
  dependsOn: [monitoring, accountStorage]
}

module workbook 'modules/workbook.bicep' = {
  params: {
    title: '${name}: logins'
    location: location
    tags: tags
    workspaceName: names.workspace
  }
  dependsOn: [monitoring]
}

output url string = app.outputs.url
output appName string = names.app
output vaultName string = names.vault
output accountTables string = accountTables
output domainVerificationId string = app.outputs.domainVerificationId
output next string = 'az functionapp deployment source config-zip --resource-group ${resourceGroup().name} --name ${names.app} --src artifacts/fetch-api-key-${host}.zip'
