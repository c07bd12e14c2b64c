// A storage account for blobs or for tables, reached with an identity only.

import { principal } from 'access.bicep'

@maxLength(24)
param name string
param location string
param tags object
param sku string = 'Standard_LRS'

@description('The one of its services that is used.')
@allowed(['blob', 'table'])
param service string
param containers string[] = []
param tables string[] = []

@description('Who may read and write the data of that service.')
param owners principal[]

@description('Network that it is reached from; empty for the public one.')
param networkName string

// Storage Blob Data Owner, which the Functions host needs for its locks; Storage Table Data Contributor.
var roleId = { blob: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b', table: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' }[service]

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: sku }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: empty(networkName) ? 'Enabled' : 'Disabled'
    networkAcls: {
      defaultAction: empty(networkName) ? 'Allow' : 'Deny'
      bypass: 'None'
    }
  }

  resource blobs 'blobServices' = if (service == 'blob') {
    name: 'default'

    resource container 'containers' = [
      for container in containers: {
        name: container
        properties: { publicAccess: 'None' }
      }
    ]
  }

  resource tableService 'tableServices' = if (service == 'table') {
    name: 'default'

    resource table 'tables' = [for table in tables: { name: table }]
  }
}

resource ownerRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for owner in owners: {
    name: guid(storage.id, owner.id, roleId)
    scope: storage
    properties: {
      principalId: owner.principalId
      principalType: owner.?type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
    }
  }
]

module endpoint 'privateEndpoint.bicep' = if (!empty(networkName)) {
  params: {
    resourceId: storage.id
    resourceName: storage.name
    location: location
    tags: tags
    group: service
    networkName: networkName
  }
}
