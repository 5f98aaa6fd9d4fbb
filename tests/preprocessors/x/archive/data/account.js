window.YTD.account.part0 = [
  {
    "account" : {
      "email" : "rowan@example.com",
      "createdVia" : "web",
      "username" : "rowan_v",
      "accountId" : "111",
      "createdAt" : "2012-08-30T23:20:03.000Z",
      "accountDisplayName" : "Rowan Vale"
    }
  }
]
