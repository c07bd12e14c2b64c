// A host name of your own with a certificate that Azure renews. Deployed by itself and once, when the name's DNS records are
// there: bound anew at each deployment it would be without its certificate in between.

@description('The output appName of main.bicep.')
param appName string

@description('For instance chat.example.com, with a CNAME record to the app\'s own name.')
param hostName string

param location string = resourceGroup().location

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource binding 'Microsoft.Web/sites/hostNameBindings@2024-11-01' = {
  parent: app
  name: hostName
  properties: { customHostNameDnsRecordType: 'CName', hostNameType: 'Verified' }
}

resource certificate 'Microsoft.Web/sites/certificates@2024-11-01' = {
  parent: app
  name: replace(hostName, '.', '-')
  location: location
  properties: { canonicalName: hostName }
  dependsOn: [binding]
}

// A module, since one template may name a resource only once.
module tls 'modules/tlsBinding.bicep' = {
  params: {
    appName: appName
    hostName: hostName
    thumbprint: certificate.properties.thumbprint
  }
}
