// One resource's address in the private network.

import { zoneOf } from 'privateZone.bicep'

param resourceId string
param resourceName string
param location string
param tags object

@description('Which of the resource\'s services.')
@allowed(['blob', 'table', 'vault'])
param group string
param networkName string

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' existing = {
  name: networkName

  resource subnet 'subnets' existing = { name: 'endpoints' }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: zoneOf(group)
}

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: '${resourceName}-${group}'
  location: location
  tags: tags
  properties: {
    subnet: { id: network::subnet.id }
    privateLinkServiceConnections: [
      {
        name: group
        properties: { privateLinkServiceId: resourceId, groupIds: [group] }
      }
    ]
  }

  resource zoneGroup 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: group, properties: { privateDnsZoneId: zone.id } }]
    }
  }
}
