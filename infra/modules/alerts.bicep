// What wakes somebody up. Each alert is one entry here and one section of docs/operating.md.

@export()
@sealed()
@description('When an alert is raised.')
type alertThresholds = {
  @description('Per cent of logins refused in 15 minutes, from 20 logins on.')
  @minValue(1)
  @maxValue(100)
  failedPercent: int?

  @description('Attempts turned away with 429 in 15 minutes.')
  @minValue(1)
  blockedAttempts: int?

  @description('Answers of 500 and above, 503 left out, in 5 minutes.')
  @minValue(1)
  serverErrors: int?

  @description('Answers of 503 in 5 minutes.')
  @minValue(1)
  unavailable: int?

  @description('95th percentile of a login in milliseconds, over 15 minutes.')
  @minValue(50)
  latencyMs: int?
}

param name string
param suffix string
param location string
param tags object
param workspaceName string
param insightsName string
param accountStorageName string
param emails string[]
param thresholds alertThresholds

param availabilityTest bool

@description('Where the endpoint is reached.')
param url string

var guide = 'What to do: docs/operating.md#alert-'

var queries = [
  {
    name: 'login-failures'
    severity: 2
    minutes: 15
    summary: 'Most logins are refused: guessing, or a client with an old password.'
    above: thresholds.?failedPercent ?? 80
    query: '''
AppMetrics
| where Name == "fetch_api_key.logins"
| summarize Logins = sum(Sum), LoggedIn = sumif(Sum, tostring(Properties["outcome"]) == "logged_in")
| where Logins >= 20
| project Value = 100.0 * (Logins - LoggedIn) / Logins'''
  }
  {
    name: 'attempts-blocked'
    severity: 2
    minutes: 15
    summary: 'Names or addresses are locked out by the attempt limit.'
    above: thresholds.?blockedAttempts ?? 100
    query: '''
AppMetrics
| where Name == "fetch_api_key.attempts.blocked"
| summarize Value = sum(Sum)'''
  }
  {
    name: 'server-errors'
    severity: 1
    minutes: 5
    summary: 'The endpoint answers with faults of its own.'
    above: thresholds.?serverErrors ?? 0
    query: '''
AppMetrics
| where Name == "http.server.request.duration"
| extend Status = toint(Properties["http.response.status_code"])
| where Status >= 500 and Status != 503
| summarize Value = sum(ItemCount)'''
  }
  {
    name: 'unavailable'
    severity: 1
    minutes: 5
    summary: 'Requests get 503: storage is away, or too many logins wait to be hashed.'
    above: thresholds.?unavailable ?? 10
    query: '''
AppMetrics
| where Name == "http.server.request.duration"
| where toint(Properties["http.response.status_code"]) == 503
| summarize Value = sum(ItemCount)'''
  }
  {
    name: 'latency'
    severity: 2
    minutes: 15
    summary: 'Logins are slow.'
    above: thresholds.?latencyMs ?? 2000
    query: '''
AppRequests
| where Name has "fetch_api_key"
| summarize Value = percentilew(DurationMs, ItemCount, 95)'''
  }
  {
    name: 'audit-lost'
    severity: 1
    minutes: 15
    summary: 'Events of the audit trail could not be written to its table and are in the log alone.'
    above: 0
    query: '''
AppMetrics
| where Name == "fetch_api_key.audit.lost"
| summarize Value = sum(Sum)'''
  }
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource recipients 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${name}-alerts-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: name
    emailReceivers: [
      for (email, i) in emails: { name: 'email${i}', emailAddress: email, useCommonAlertSchema: true }
    ]
  }
}

resource queryAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in queries: {
    name: '${name}-${alert.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${name}: ${alert.name}'
      description: '${alert.summary} ${guide}${alert.name}'
      enabled: true
      severity: alert.severity
      scopes: [workspace.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT${alert.minutes}M'
      autoMitigate: true
      // The tables have no rows, and so no columns to check against, before the first login.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            metricMeasureColumn: 'Value'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: alert.above
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [recipients.id] }
    }
  }
]

resource accountStorage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: accountStorageName

  resource tableService 'tableServices' existing = { name: 'default' }
}

resource throttlingAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-storage-throttling-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The account storage turns calls away. ${guide}storage-throttling'
    enabled: true
    severity: 2
    scopes: [accountStorage::tableService.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'throttled'
          metricNamespace: 'Microsoft.Storage/storageAccounts/tableServices'
          metricName: 'Transactions'
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: ['ClientThrottlingError', 'ClientAccountRequestThrottlingError', 'ClientAccountBandwidthThrottlingError', 'ServerBusyError']
            }
          ]
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: [{ actionGroupId: recipients.id }]
  }
}

var testName = '${name}-ready-${suffix}'

resource readyTest 'Microsoft.Insights/webtests@2022-06-15' = if (availabilityTest) {
  name: testName
  location: location
  // Without this tag the test belongs to no Application Insights, and does not run.
  tags: union(tags, { 'hidden-link:${insights.id}': 'Resource' })
  kind: 'standard'
  properties: {
    Name: testName
    SyntheticMonitorId: testName
    Kind: 'standard'
    Enabled: true
    Frequency: 300
    Timeout: 30
    RetryEnabled: true
    Locations: [{ Id: 'emea-nl-ams-azr' }, { Id: 'us-va-ash-azr' }, { Id: 'apac-sg-sin-azr' }]
    Request: { RequestUrl: '${url}/api/v1/health/ready', HttpVerb: 'GET', ParseDependentRequests: false }
    ValidationRules: { ExpectedHttpStatusCode: 200, SSLCheck: true, SSLCertRemainingLifetimeCheck: 7 }
  }
}

resource unreachableAlert 'Microsoft.Insights/metricAlerts@2018-03-01' = if (availabilityTest) {
  name: '${name}-unreachable-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The endpoint is not ready, seen from two places of three. ${guide}unreachable'
    enabled: true
    severity: 1
    scopes: [readyTest.id, insights.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: readyTest.id
      componentId: insights.id
      failedLocationCount: 2
    }
    actions: [{ actionGroupId: recipients.id }]
  }
}
