window.YTD.direct_messages.part0 = [
  {
    "dmConversation" : {
      "conversationId" : "111-222",
      "messages" : [
        { "messageCreate" : { "recipientId" : "111", "reactions" : [ { "senderId" : "111", "reactionKey" : "like", "eventId" : "70", "createdAt" : "2025-01-25T21:43:05.068Z" } ], "urls" : [ { "url" : "https://t.co/abc", "expanded" : "https://example.org/a?b=1", "display" : "example.org/a?b=1" }, { "url" : "https://t.co/pic", "expanded" : "https://twitter.com/messages/media/13", "display" : "pic.twitter.com/pic" } ], "text" : "look https://t.co/abc https://t.co/pic", "mediaUrls" : [ "https://ton.twitter.com/dm/13/12/a.jpg" ], "senderId" : "222", "id" : "13", "createdAt" : "2025-01-25T21:42:05.068Z", "editHistory" : [ ] } },
        { "messageCreate" : { "recipientId" : "222", "reactions" : [ ], "urls" : [ { "url" : "https://t.co/pi2", "expanded" : "https://twitter.com/messages/media/12", "display" : "pic.twitter.com/pi2" } ], "text" : " https://t.co/pi2", "mediaUrls" : [ "https://ton.twitter.com/dm/12/11/b.jpg" ], "senderId" : "111", "id" : "12", "createdAt" : "2025-01-25T21:41:05.068Z", "editHistory" : [ ] } }
      ]
    }
  },
  {
    "dmConversation" : {
      "conversationId" : "333-111",
      "messages" : [
        { "messageCreate" : { "recipientId" : "333", "reactions" : [ ], "urls" : [ ], "text" : "yes!\ntwo lines", "mediaUrls" : [ ], "senderId" : "111", "id" : "21", "createdAt" : "2020-01-20T21:42:09.068Z" } },
        { "messageCreate" : { "recipientId" : "111", "reactions" : [ ], "urls" : [ ], "text" : "you there?", "mediaUrls" : [ ], "senderId" : "333", "id" : "20", "createdAt" : "2020-01-20T21:42:00.000Z" } }
      ]
    }
  },
  {
    "dmConversation" : {
      "conversationId" : "111-222",
      "messages" : [
        { "messageCreate" : { "recipientId" : "222", "reactions" : [ ], "urls" : [ ], "text" : "the older part", "mediaUrls" : [ ], "senderId" : "111", "id" : "11", "createdAt" : "2025-01-24T10:00:00.000Z" } },
        { "messageCreate" : { "recipientId" : "111", "reactions" : [ ], "urls" : [ ], "text" : "hi Rowan", "mediaUrls" : [ ], "senderId" : "222", "id" : "10", "createdAt" : "2025-01-24T09:59:00.000Z" } }
      ]
    }
  }
]
