// The picture of the logins: one page in the portal, drawn from workbook.json.

param title string
param location string
param tags object
param workspaceName string

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, 'logins')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: title
    category: 'workbook'
    sourceId: workspace.id
    version: '1.0'
    serializedData: string(union(loadJsonContent('workbook.json'), { fallbackResourceIds: [workspace.id] }))
  }
}
