window.YTD.direct_messages_group.part0 = [
  {
    "dmConversation" : {
      "conversationId" : "6666666666666666666",
      "messages" : [
        { "participantsLeave" : { "userIds" : [ "333" ], "createdAt" : "2023-08-12T17:20:00.000Z" } },
        { "messageCreate" : { "reactions" : [ ], "urls" : [ ], "text" : "fine &lt;3 &amp;amp;", "mediaUrls" : [ ], "senderId" : "111", "id" : "33", "createdAt" : "2023-08-12T17:15:00.000Z" } },
        { "conversationNameUpdate" : { "initiatingUserId" : "222", "name" : "Hiking", "createdAt" : "2023-08-12T17:14:00.000Z" } },
        { "messageCreate" : { "reactions" : [ ], "urls" : [ ], "text" : "Sunday?", "mediaUrls" : [ ], "senderId" : "333", "id" : "32", "createdAt" : "2023-08-12T17:13:00.000Z" } },
        { "conversationNameUpdate" : { "initiatingUserId" : "222", "name" : "old name", "createdAt" : "2023-08-12T17:12:00.000Z" } },
        { "messageCreate" : { "reactions" : [ ], "urls" : [ ], "text" : "Saturday?", "mediaUrls" : [ ], "senderId" : "222", "id" : "31", "createdAt" : "2023-08-12T17:11:00.000Z" } },
        { "joinConversation" : { "initiatingUserId" : "222", "participantsSnapshot" : [ "222", "111", "333" ], "createdAt" : "2023-08-12T17:10:37.000Z" } }
      ]
    }
  }
]
