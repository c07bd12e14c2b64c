// The function app on Flex Consumption: how it runs, scales and deploys, and its settings.

param name string
param location string
param tags object
param host string
param instanceMemoryMB int
param httpConcurrency int
param maximumInstanceCount int
param alwaysReadyInstances int
param identityName string
param hostStorageName string
param deploymentContainer string
param insightsName string


@description('Network that the app reaches storages and vault in; empty for none.')
param networkName string
param customDomains string[]

@description('The endpoint\'s own settings.')
param settings object

// Azure takes any name and version, and an app with a wrong one deploys and never starts.
var runtimes = {
  isolated: { name: 'dotnet-isolated', version: '10.0' }
  custom: { name: 'custom', version: '1.0' }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: identityName
}

resource subnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' existing = if (!empty(networkName)) {
  name: '${networkName}/app'
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: hostStorageName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: '${name}-plan'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    virtualNetworkSubnetId: empty(networkName) ? null : subnet.id
    // Without it no certificate can be added later; Azure knows it, Bicep's types do not yet.
    #disable-next-line BCP037
    siteScopedCertificatesEnabled: true
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      runtime: runtimes[host]
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostStorage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyInstances == 0 ? [] : [{ name: 'http', instanceCount: alwaysReadyInstances }]
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
  }

  resource noFtpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource noScmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource appSettings 'config' = {
    name: 'appsettings'
    properties: {
      ...settings
      AccountStorage__credential: 'managedidentity'
      AccountStorage__clientId: identity.properties.clientId
      ExternalHost: join(concat([app.properties.defaultHostName], customDomains), ',')
      AzureWebJobsStorage__accountName: hostStorageName
      AzureWebJobsStorage__credential: 'managedidentity'
      AzureWebJobsStorage__clientId: identity.properties.clientId
      AzureWebJobsDisableHomepage: 'true'
      // The endpoint itself answers 413 from 64 KiB on; the Functions host would let 100 MB through to it.
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '1048576'
      // The Functions host passes the client's address on instead of that of Azure's front end.
      ASPNETCORE_FORWARDEDHEADERS_ENABLED: 'true'
      APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD;ClientId=${identity.properties.clientId}'
    }
  }
}

output url string = 'https://${app.properties.defaultHostName}'
output domainVerificationId string = app.properties.customDomainVerificationId
