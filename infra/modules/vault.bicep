// The vault with the keys that API keys are sealed with, one secret each, and who may read them.

import { principal } from 'access.bicep'

@maxLength(24)
param name string
param location string
param tags object

param secretNames string[]

@description('Becomes the last of these secrets; empty to leave the vault as it is.')
@secure()
param newestSecret string

param readers principal[]

@description('Where every access to a secret is written down.')
param workspaceName string

@description('Network that it is reached from; empty for the public one.')
param networkName string

var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: empty(networkName) ? 'Enabled' : 'Disabled'
    networkAcls: {
      defaultAction: empty(networkName) ? 'Allow' : 'Deny'
      bypass: 'None'
    }
  }
}

// Written through Resource Manager, so that it takes neither a role in the vault nor a way into its network.
resource newest 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(newestSecret)) {
  parent: vault
  name: secretNames[length(secretNames) - 1]
  properties: {
    value: newestSecret
    contentType: 'base64 of 32 bytes'
  }
}

resource secrets 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [
  for name in secretNames: {
    parent: vault
    name: name
  }
]

// One assignment for each reader and secret: the vault may come to hold what is none of theirs.
resource readerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for i in range(0, length(readers) * length(secretNames)): {
    name: guid(secrets[i % length(secretNames)].id, readers[i / length(secretNames)].id, keyVaultSecretsUser)
    scope: secrets[i % length(secretNames)]
    properties: {
      principalId: readers[i / length(secretNames)].principalId
      principalType: readers[i / length(secretNames)].?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
    }
    dependsOn: [newest]
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource accessLog 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspace.id
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

module endpoint 'privateEndpoint.bicep' = if (!empty(networkName)) {
  params: {
    resourceId: vault.id
    resourceName: vault.name
    location: location
    tags: tags
    group: 'vault'
    networkName: networkName
  }
}
